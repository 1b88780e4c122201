/** Programs that read the logs of a study; a file of its own, so that a command line loads no more. */
export const logFormats = ['tensorboard', 'mlflow'] as const;
export type LogFormat = (typeof logFormats)[number];

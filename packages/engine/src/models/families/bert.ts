import { bertEncoder } from './bert-encoder.ts';

/** BERT and what was distilled from it, as MiniLM: token types are all 0, positions count from 0. */
export const bert = bertEncoder('bert', () => 0);

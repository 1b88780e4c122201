import { bertEncoder } from './bert-encoder.ts';

/** BERT and models distilled from it, such as MiniLM: token types are all 0, positions count from 0. */
export const bert = bertEncoder('bert', () => 0);

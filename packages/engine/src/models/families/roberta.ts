import { bertEncoder } from './bert-encoder.ts';

/**
 * CodeBERT, GraphCodeBERT, UniXcoder, ContraBERT: without the heads that they were trained with. Positions are counted from
 * behind the padding's id.
 */
export const roberta = bertEncoder('roberta', (padTokenId) => (padTokenId ?? 1) + 1);

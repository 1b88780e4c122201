/**
 * What is learnt from a vulnerable function and its fix together. `rank`: the vulnerable one should have the higher log odds (RankNet, Burges et al.
 * 2005). `contrastive`: their pooled states should differ in direction.
 */
export const pairLossKinds = ['rank', 'contrastive'] as const;
export type PairLossKind = (typeof pairLossKinds)[number];

import { expect, it } from 'vitest';
import { editDistance, nearestName } from './nearest.ts';

it('counts single edits and swaps of neighbours, letter case aside', () => {
	expect(editDistance('epochs', 'epochs')).toBe(0);
	expect(editDistance('epcohs', 'epochs')).toBe(1);
	expect(editDistance('Epoch', 'epochs')).toBe(1);
	expect(editDistance('kitten', 'sitting')).toBe(3);
	expect(editDistance('', 'abc')).toBe(3);
});

it('suggests the closest name, or none for a name like no other', () => {
	expect(nearestName('lerningrate', ['rank', 'learningRate', 'length'])).toBe('learningRate');
	expect(nearestName('zzz', ['rank', 'alpha'])).toBeUndefined();
	expect(nearestName('xyz', ['isa'])).toBeUndefined();
});

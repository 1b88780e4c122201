import { describe, expect, it } from 'vitest';
import { changedLines } from './changed-lines.ts';

const changed = (before: readonly string[], after: readonly string[]) =>
	changedLines(before.join('\n'), after.join('\n')).flatMap((is, line) => (is ? [line + 1] : []));

describe('the lines that a fix changed', () => {
	it.each([
		['removed', ['a', 'b', 'c'], ['a', 'c'], [2]],
		['changed', ['a', 'b', 'c'], ['a', 'x', 'c'], [2]],
		['only added to', ['a', 'c'], ['a', 'b', 'c'], []],
		['the same', ['a', 'b'], ['a', 'b'], []],
		['wholly others', ['a', 'b'], ['x'], [1, 2]],
		['moved: one of both ways', ['a', 'b', 'c'], ['b', 'c', 'a'], [1]],
		['repeated: the copy that is gone', ['}', 'a', '}'], ['a', '}'], [1]],
		['indented anew', ['if (x)', '\ta  =  b;'], ['if (x)', '    a = b;'], []],
		['blank in between', ['a', '', 'b', '  ', 'c'], ['a', 'c'], [3]],
		['nothing left', ['a', ''], [''], [1]],
	])('%s', (_, before, after, expected) => {
		expect(changed(before, after)).toEqual(expected);
	});

	it('keeps as many lines as it can', () => {
		expect(changed(['a', 'b', 'c', 'd', 'e'], ['c', 'd', 'a', 'b', 'e'])).toHaveLength(2);
	});
});

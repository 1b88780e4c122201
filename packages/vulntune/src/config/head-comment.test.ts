import { expect, it } from 'vitest';
import { headComment } from './head-comment.ts';

it('is the lines before the first that is no comment', () => {
	expect(headComment('# one\r\n#two\n#  three\nmodel: m # four\n# five\n')).toEqual(['one', 'two', ' three']);
	expect(headComment('model: m\n# one')).toEqual([]);
	expect(headComment('# all')).toEqual(['all']);
});

import { expect, it } from 'vitest';
import { describeShared } from './describe-shared.ts';

it('says what share of all tokens the common ones are, of none at all too', () => {
	expect(describeShared({ tokens: 300, sharedTokens: 100 })).toMatch(/^25\.0 % of the tokens/);
	expect(describeShared({ tokens: 0, sharedTokens: 0 })).toMatch(/^0\.0 %/);
});

import { expect, it } from 'vitest';
import { loadNccl, versionText } from './library.ts';

it.each([
	[22_105, 'NCCL 2.21.5'],
	[21_104, 'NCCL 2.11.4'],
	[2_708, 'NCCL 2.7.8'],
])('reads the version %i', (version, text) => {
	expect(versionText(version)).toBe(text);
});

it('says what to install where it is not there', () => {
	expect(() => loadNccl('libnccl-that-is-not-there.so')).toThrow(
		expect.objectContaining({ code: 'NCCL_MISSING', kind: 'runtime' }),
	);
});

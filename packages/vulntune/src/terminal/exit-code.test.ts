import { readFileSync } from 'node:fs';
import { inputError } from '@vulntune/engine/errors.ts';
import { describe, expect, it } from 'vitest';
import { exitCodes, toVulntuneError } from './exit-code.ts';

function thrownBy(action: () => unknown): unknown {
	try {
		action();
	} catch (error) {
		return error;
	}
	return undefined;
}

describe('any thrown value', () => {
	it('is itself where it is an error for the user already', () => {
		const error = inputError('X', 'message');
		expect(toVulntuneError(error)).toBe(error);
	});

	it('has the place and exit code 2 for a file that is not there or not allowed', () => {
		const error = toVulntuneError(thrownBy(() => readFileSync('absent/file')));
		expect(error).toMatchObject({ kind: 'input', code: 'FILE_NOT_FOUND', place: 'absent/file' });
		expect(exitCodes[error.kind]).toBe(2);
	});

	it.each([
		Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }),
		Object.assign(new Error('ENOMEM'), { code: 'ENOMEM' }),
		thrownBy(() => new ArrayBuffer(Number.MAX_SAFE_INTEGER)),
	])('has exit code 5 for $message', (error) => {
		expect(exitCodes[toVulntuneError(error).kind]).toBe(5);
	});

	it('is one line and exit code 4 otherwise', () => {
		for (const thrown of [new TypeError('x is not a function\n    at somewhere'), 'a text', undefined]) {
			const error = toVulntuneError(thrown);
			expect(error.code).toBe('UNEXPECTED');
			expect(error.summary).not.toContain('\n');
			expect(exitCodes[error.kind]).toBe(4);
		}
	});
});

import { Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { writer } from './terminal.ts';

/** A stream that fails at every write after the first. */
function brokenPipe() {
	const written: string[] = [];
	let attempts = 0;
	const stream = new Writable({
		autoDestroy: false,
		decodeStrings: false,
		write(text: string, _encoding, done) {
			attempts += 1;
			if (attempts === 1) written.push(text);
			done(attempts === 1 ? null : Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
		},
	});
	return { stream, written, attempts: () => attempts };
}

it('drops what comes after a failure, and tells of it once', async () => {
	const { stream, written, attempts } = brokenPipe();
	const failures: (string | undefined)[] = [];
	const write = writer(stream, ({ code }) => failures.push(code));
	for (const text of ['one', 'two', 'three', 'four']) {
		write(text);
		await new Promise((resolve) => setImmediate(resolve));
	}
	expect(written).toEqual(['one']);
	expect(failures).toEqual(['EPIPE']);
	expect(attempts()).toBe(2);
});

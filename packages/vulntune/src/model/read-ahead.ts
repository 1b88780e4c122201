import type { WeightSource } from '@vulntune/engine';

/**
 * Tensors of a source one after the other, the next one read while the caller works. The bytes of one are good until the next
 * is asked for.
 */
export async function* readAhead(
	weights: WeightSource,
	names: readonly string[],
): AsyncGenerator<{ readonly name: string; readonly bytes: Uint8Array<ArrayBuffer> }, void> {
	const { readInto } = weights;
	if (readInto === undefined) {
		for (const name of names) yield { name, bytes: weights.read(name) };
		return;
	}
	const sizeOf = (name: string) => weights.info(name)!.byteLength;
	const longest = Math.max(0, ...names.map(sizeOf));
	const rooms = [new Uint8Array(longest), new Uint8Array(longest)] as const;
	const start = async (index: number) => {
		const name = names[index];
		if (name === undefined) return undefined;
		const bytes = rooms[index % 2 === 0 ? 0 : 1].subarray(0, sizeOf(name));
		await readInto(name, bytes);
		return { name, bytes };
	};
	let reading = start(0);
	try {
		for (let next = 1; ; next++) {
			const read = await reading;
			if (read === undefined) return;
			reading = start(next);
			// seen when it is waited for
			reading.catch(() => {});
			yield read;
		}
	} finally {
		// nobody may close the file under a read that goes on
		await reading.catch(() => {});
	}
}

/**
 * What each kernel takes, read from the PTX, so that no signature is written a second time: one letter an argument,
 * `l` 64 bits, `i` 32 bits, `f` a float, `T` a tensor map (32 words); another structure is its 32-bit words, `w` each.
 */
export function readSignatures(ptx) {
	const kernels = [...ptx.matchAll(/\.visible \.entry (\w+)\(([^)]*)\)/g)].map(([, name, parameters]) => [
		name,
		[...parameters.matchAll(/\.param (?:\.align \d+ )?\.(\w+) \w+(?:\[(\d+)\])?/g)]
			.map(([, type, bytes]) => letterOf(type, bytes))
			.join(''),
	]);
	return Object.fromEntries(kernels.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function letterOf(type, bytes) {
	if (bytes === '128') return 'T';
	if (bytes !== undefined) return 'w'.repeat(Number(bytes) / 4);
	const letter = { u64: 'l', u32: 'i', f32: 'f' }[type];
	if (letter === undefined) throw new Error(`a kernel takes a .${type}, which the launcher does not know`);
	return letter;
}

import fc from 'fast-check';

interface Damage {
	readonly kind: 'flip' | 'insert' | 'remove' | 'cut' | 'move';
	/** Places as fractions of the length, so that they fit whatever the damage before has left. */
	readonly at: number;
	readonly to: number;
	readonly byte: number;
	readonly token: string;
}

const tokens = [
	'{',
	'}',
	'[',
	']',
	'"',
	',',
	':',
	'-',
	'0',
	'1e9',
	'99999999999999999999',
	'null',
	'true',
	'[]',
	'{}',
	'\\',
	'\u0000',
];

const damageArbitrary: fc.Arbitrary<Damage> = fc.record({
	kind: fc.constantFrom('flip', 'insert', 'remove', 'cut', 'move'),
	at: fc.double({ min: 0, max: 1, noNaN: true }),
	to: fc.double({ min: 0, max: 1, noNaN: true }),
	byte: fc.nat(255),
	token: fc.constantFrom(...tokens),
});

/** Test helper: copies of `bytes` with one to three mistakes in each, for readers that must survive any. */
export function damaged(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
	return fc
		.array(damageArbitrary, { minLength: 1, maxLength: 3 })
		.map((damages) => damages.reduce((left, damage) => apply(left, damage), bytes));
}

function apply(bytes: Uint8Array, { kind, at, to, byte, token }: Damage): Uint8Array {
	const from = Math.floor(at * bytes.length);
	const before = bytes.subarray(0, from);
	const after = bytes.subarray(from);
	switch (kind) {
		case 'flip':
			return Buffer.concat([before, Uint8Array.of(byte), after.subarray(1)]);
		case 'insert':
			return Buffer.concat([before, Buffer.from(token), after]);
		case 'remove':
			return Buffer.concat([before, after.subarray(1)]);
		case 'cut':
			return before;
		case 'move':
			return Buffer.concat([before, bytes.subarray(Math.floor(to * bytes.length)).subarray(0, 8), after]);
	}
}

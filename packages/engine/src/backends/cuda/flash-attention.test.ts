/** Attention on tensor cores: which kernels a card takes, and on cards of the Turing generation what float16 may and may not lose. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { roundToBfloat16, widenBfloat16 } from '../../formats/floats.ts';
import type { AttentionOptions, Backend, View } from '../contract.ts';
import { createReferenceBackend } from '../reference/reference-backend.ts';
import { drawFrom, emptyTensor, relativeDistance, segmentTensors, tensor } from '../testing/tensors.ts';
import { createDevice } from './create-device.ts';
import { cudaBackendOn } from './cuda.ts';
import { createStandInBackend, prepareStandIn, withStandIn } from './testing/stand-in.ts';

const { missing } = await prepareStandIn();

/** A function, one that continues it, and one alone; two heads of queries over one of keys. */
const [starts, parents] = [
	[0, 70, 90, 125],
	[-1, 0, -1],
];
const [tokens, heads] = [125, 2];

const names = ['q', 'k', 'v', 'dOut'] as const;
type Inputs = Readonly<Record<(typeof names)[number], Float32Array>>;
type Results = Readonly<Record<'out' | 'logSumExp' | 'dq' | 'dk' | 'dv', Float32Array>>;

const shapeOf = (headDim: number): AttentionOptions => ({
	...{ heads, keyValueHeads: 1, headDim, causal: true, scale: 1 / Math.sqrt(headDim), precision: 'bf16' },
});
const widthOf = (name: keyof Inputs, headDim: number) =>
	(name === 'q' || name === 'dOut' ? heads : 1) * headDim;

const bfloat16 = (values: Float32Array) => widenBfloat16(roundToBfloat16(values));

function drawn(headDim: number): Inputs {
	const draw = drawFrom(3);
	const all = names.map((name) => [name, bfloat16(draw.normal(tokens * widthOf(name, headDim)))]);
	return Object.fromEntries(all) as Inputs;
}

/** Attention and its gradients with activations in a type; the reference's of `out` that is rounded as it lies in bfloat16. */
function attend(backend: Backend, type: 'f32' | 'bf16', inputs: Inputs, headDim: number): Results {
	const shape = shapeOf(headDim);
	const segments = segmentTensors(backend, starts!, parents);
	const place = (values: Float32Array, width: number): View => {
		if (type === 'f32') return tensor(backend, [tokens, width], values);
		const view = emptyTensor(backend, [tokens, width], 'bf16');
		backend.upload(view, roundToBfloat16(values));
		return view;
	};
	const [wide, narrow] = [heads * headDim, headDim];
	const [q, k, v, dOut] = names.map((name) => place(inputs[name], widthOf(name, headDim))) as [
		...[View, View, View, View],
	];
	const found = { out: wide, dq: wide, dk: narrow, dv: narrow };
	const [out, dq, dk, dv] = Object.values(found).map((width) =>
		emptyTensor(backend, [tokens, width], type),
	) as [...[View, View, View, View]];
	const logSumExp = emptyTensor(backend, [tokens, heads]);
	backend.attention(out, logSumExp, q, k, v, segments, shape);
	const floats = (view: View) => {
		const values = backend.download(view);
		return values instanceof Uint16Array ? widenBfloat16(values) : (values as Float32Array);
	};
	const exact = floats(out);
	if (type === 'f32') backend.upload(out, bfloat16(exact));
	backend.attentionBackward({ dq, dk, dv }, { q, k, v, out, logSumExp, segments }, dOut, shape);
	return { out: exact, logSumExp: floats(logSumExp), dq: floats(dq), dk: floats(dk), dv: floats(dv) };
}

const sameBytes = (a: Float32Array, b: Float32Array) => Buffer.from(a.buffer).equals(Buffer.from(b.buffer));
const times = (values: Float32Array, power: number) => values.map((value) => value * 2 ** power);
/** Each row of a matrix times its power of two. */
const rowsTimes = (values: Float32Array, width: number, powers: ArrayLike<number>) =>
	values.map((value, i) => value * 2 ** powers[Math.floor(i / width)]!);

describe.skipIf(missing !== undefined)('a card', () => {
	it.each([
		[75, 'bf16', 64, /^float16(Attention|Backward.*)64$/],
		[75, 'bf16', 130, /^float16(Attention|Backward.*)256$/],
		[75, 'f32', 64, /^attention(Backward.*)?64$/],
		[80, 'bf16', 20, /^flash(Attention|Backward.*)32$/],
		[80, 'bf16', 256, /^flash(Attention|Backward.*)256$/],
		[80, 'f32', 128, /^attention(Backward.*)?128$/],
		[70, 'bf16', 64, /^attention(Backward.*)?64Bf16$/],
	] as const)(
		'of capability %i takes for activations in %s and heads of %i',
		(capability, type, headDim, kernels) => {
			const device = withStandIn({ capability }, () => createDevice(0));
			const launched: string[] = [];
			const launch = device.launch;
			vi.spyOn(device, 'launch').mockImplementation((name, ...rest) => {
				if (!/pad|headsTo|fill|Delta/.test(name)) launched.push(name);
				launch(name, ...rest);
			});
			const backend = cudaBackendOn(device);
			attend(backend, type, drawn(headDim), headDim);
			expect(launched).toHaveLength(3);
			for (const name of launched) expect(name).toMatch(kernels);
			backend.close();
		},
	);
});

describe.skipIf(missing !== undefined)('attention in float16', () => {
	let turing: Backend;
	let ampere: Backend;
	beforeAll(() => {
		turing = createStandInBackend({ capability: 75 });
		ampere = createStandInBackend();
	});
	afterAll(() => {
		turing.close();
		ampere.close();
	});
	const attendOn = (inputs: Inputs, headDim: number) => attend(turing, 'bf16', inputs, headDim);
	const reference = createReferenceBackend();
	const exactly = (inputs: Inputs, headDim: number) => attend(reference, 'f32', inputs, headDim);

	it.each([24, 64, 128, 200])('of heads of %i loses little but what results in bfloat16 lose', (headDim) => {
		const inputs = drawn(headDim);
		const exact = exactly(inputs, headDim);
		const found = attendOn(inputs, headDim);
		const others = attend(ampere, 'bf16', inputs, headDim);
		for (const name of ['out', 'dq', 'dk', 'dv'] as const) {
			const rounding = relativeDistance(bfloat16(exact[name]), exact[name]);
			expect(relativeDistance(found[name], exact[name]), name).toBeLessThan(1.05 * rounding);
			// weights of three digits less
			expect(relativeDistance(others[name], exact[name]), name).toBeGreaterThan(1.1 * rounding);
			expect(relativeDistance(others[name], exact[name]), name).toBeLessThan(1e-2);
		}
		expect(relativeDistance(found.logSumExp, exact.logSumExp)).toBeLessThan(1e-5);
	});

	it('loses nothing to magnitudes that float16 has not', () => {
		const headDim = 64;
		const inputs = drawn(headDim);
		const near = attendOn(inputs, headDim);
		// the same scores; gradients of a loss over many functions are far below the least that float16 has
		const far = attendOn(
			{
				...{ q: times(inputs.q, 40), k: times(inputs.k, -40) },
				...{ v: times(inputs.v, 50), dOut: times(inputs.dOut, -60) },
			},
			headDim,
		);
		const powers = { out: 50, logSumExp: 0, dq: -50, dk: 30, dv: -60 };
		for (const [name, power] of Object.entries(powers) as [keyof Results, number][]) {
			expect(sameBytes(far[name], times(near[name], power)), name).toBe(true);
		}
	});

	it('has powers of two for each row', () => {
		const headDim = 32;
		const inputs = drawn(headDim);
		const powers = drawFrom(8)
			.integers(tokens * heads, 101)
			.map((power) => power - 50);
		const dOut = rowsTimes(inputs.dOut, headDim, powers);
		const [near, far] = [attendOn(inputs, headDim), attendOn({ ...inputs, dOut }, headDim)];
		expect(sameBytes(far.dq, rowsTimes(near.dq, headDim, powers))).toBe(true);
		const v = rowsTimes(inputs.v, headDim, powers);
		const values = { ...inputs, v };
		const [found, exact] = [attendOn(values, headDim).out, exactly(values, headDim).out];
		for (let row = 0; row < tokens * heads; row++) {
			const rowOf = (all: Float32Array) => all.subarray(row * headDim, (row + 1) * headDim);
			expect(relativeDistance(rowOf(found), rowOf(exact)), `row ${row}`).toBeLessThan(2 ** -8);
		}
	});

	it('forgets the power of what has lost its weight', () => {
		const headDim = 32;
		const inputs = drawn(headDim);
		// tokens of the first tile have values beyond all others', but queries see next to nothing of them
		const [q, k, v] = [inputs.q.slice(), inputs.k.slice(), inputs.v.slice()];
		for (let token = 0; token < tokens; token++) {
			const isEarly = token < 32;
			for (let head = 0; head < heads; head++) q[(token * heads + head) * headDim] = 64;
			k[token * headDim] = isEarly ? -64 : 64;
			for (let d = 0; d < headDim; d++) v[token * headDim + d]! *= 2 ** (isEarly ? 40 : -40);
		}
		const odd = { ...inputs, q, k, v };
		const [found, exact] = [attendOn(odd, headDim).out, exactly(odd, headDim).out];
		const late = (all: Float32Array) => all.subarray(33 * heads * headDim, 70 * heads * headDim);
		expect(relativeDistance(late(found), late(exact))).toBeLessThan(2 ** -8);
	});

	it('knows nothing of tokens that a row does not see', () => {
		const headDim = 64;
		const inputs = drawn(headDim);
		const [k, v] = [inputs.k.slice(), inputs.v.slice()];
		// the last one of the first function, which those before it don't see
		for (let d = 0; d < headDim; d++) {
			k[69 * headDim + d]! *= 2 ** 5;
			v[69 * headDim + d]! *= 2 ** 60;
		}
		const [near, far] = [attendOn(inputs, headDim), attendOn({ ...inputs, k, v }, headDim)];
		const before = (all: Float32Array) => all.slice(0, 69 * heads * headDim);
		expect(sameBytes(before(far.out), before(near.out))).toBe(true);
		expect(sameBytes(before(far.dq), before(near.dq))).toBe(true);
	});
});

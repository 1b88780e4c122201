import { seedWords } from '../../random/streams.ts';
import type { Backend, DataType, Dropout, View } from '../contract.ts';
import { bytesOf, programError } from '../owned-buffers.ts';
import { describe, elements } from '../view.ts';
import { type CudaDevice, kernelFor, threadsPerBlock } from './device.ts';
import { floatBits } from './launch.ts';
import { storages } from './weights.ts';

export type ElementwiseGroup = Pick<
	Backend,
	| 'fill'
	| 'copy'
	| 'add'
	| 'addScaled'
	| 'scale'
	| 'dropout'
	| 'addBias'
	| 'biasBackward'
	| 'sumOfSquares'
	| 'scaleRows'
>;

const floatTypes: ReadonlySet<DataType> = new Set(['f32', 'bf16', 'f16']);
/** Blocks of a sum at most: their partial sums are added up on the host, in order. */
const mostPartials = 512;

/** One that keeps everything. */
const noMask: readonly number[] = [0, 0, 0, 0, floatBits(1)];

/** `Mask` of philox.cuh. */
export function maskWords(dropout: Dropout | undefined): readonly number[] {
	if (dropout === undefined) return noMask;
	const { seed, stream, probability } = dropout;
	const threshold = Math.round(probability * 2 ** 16);
	return [...seedWords(seed), stream, threshold, floatBits(1 / (1 - probability))];
}

/** Numbers one by one. */
export function elementwiseGroup(device: CudaDevice): ElementwiseGroup {
	const { address, floats, values, launchOver } = device;

	/** A thread for each eight of so many numbers. */
	function launchOverEights(name: string, count: number, args: readonly number[]): void {
		launchOver(name, Math.ceil(count / 8), args);
	}

	function copySameType(target: View, source: View): void {
		const bytes = bytesOf(target.dtype, elements(target.shape));
		if (bytes > 0) device.driver.cuMemcpyDtoDAsync_v2(address(target), address(source), bytes, device.stream);
	}

	return {
		fill(target, value) {
			const count = elements(target.shape);
			if (target.dtype === 'i32') {
				launchOver('fillInteger', count, [address(target), count, value]);
			} else launchOverEights(kernelFor('fillFloat', target), count, [values(target), count, value]);
		},
		copy(target, source) {
			if (target.dtype === source.dtype) {
				copySameType(target, source);
				return;
			}
			if (!floatTypes.has(target.dtype) || !floatTypes.has(source.dtype)) {
				throw programError(
					'COPY_TYPE',
					`only float types are converted by a copy, found ${describe(source)} to ${describe(target)}`,
				);
			}
			const [to, from] = [storages.indexOf(target.dtype), storages.indexOf(source.dtype)];
			const count = elements(target.shape);
			launchOver('convert', count, [address(target), to, address(source), from, count]);
		},
		add(sum, a, b) {
			const count = elements(sum.shape);
			launchOverEights(kernelFor('addFloats', sum, a, b), count, [...[sum, a, b].map(values), count]);
		},
		addScaled(target, source, factor) {
			const count = elements(target.shape);
			const args = [values(target), values(source), factor, count];
			launchOverEights(kernelFor('addScaled', target, source), count, args);
		},
		scale(target, factor) {
			const count = elements(target.shape);
			launchOverEights(kernelFor('scaleFloats', target), count, [values(target), factor, count]);
		},
		dropout(y, x, dropout) {
			const count = elements(y.shape);
			const args = [values(y), values(x), count, ...maskWords(dropout)];
			launchOverEights(kernelFor('dropout', y, x), count, args);
		},
		addBias(y, x, bias) {
			const count = elements(y.shape);
			const args = [values(y), values(x), floats(bias), count, elements(bias.shape)];
			launchOver(kernelFor('addBias', y, x), count, args);
		},
		biasBackward({ view, accumulate }, dy) {
			const [rows, width] = dy.shape as [number, number];
			const args = [floats(view), Number(accumulate), values(dy), 0, 0, 0, rows, width];
			device.launch(kernelFor('columnSums', dy), [Math.ceil(width / 32)], threadsPerBlock, args);
		},
		scaleRows(x, factor) {
			const count = elements(x.shape);
			launchOver('scaleRows', count, [
				floats(x),
				floats(factor),
				count,
				count / Math.max(1, elements(factor.shape)),
			]);
		},
		sumOfSquares(x) {
			const count = elements(x.shape);
			const blocks = Math.min(mostPartials, Math.max(1, Math.ceil(count / (4 * threadsPerBlock))));
			return device.withScratch(
				() => 'a sum of squares',
				(take) => {
					const partials = new Float64Array(blocks);
					const onCard = take(partials.byteLength);
					device.launch('sumOfSquares', [blocks], threadsPerBlock, [onCard, floats(x), count]);
					return device.staging
						.download(partials, onCard)()
						.reduce((sum, partial) => sum + partial, 0);
				},
			);
		},
	};
}

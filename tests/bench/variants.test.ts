/** The products that no card has timed yet, on the emulation: building them takes too long for every run of the suite. */
import { createDevice } from '@vulntune/engine/backends/cuda/create-device.ts';
import { tensorProduct } from '@vulntune/engine/backends/cuda/products.ts';
import { prepareStandIn, withStandIn } from '@vulntune/engine/backends/cuda/testing/stand-in.ts';
import { bytesOf } from '@vulntune/engine/backends/owned-buffers.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomHalves } from '../../bench/cuda/random.ts';
import { tiles, tileVariants, variantName } from '../../bench/cuda/variants.ts';
import { isNightly } from '../nightly/nightly.ts';

const directions = ['NT', 'NN', 'TN'] as const;
const names = directions.flatMap((direction) => tiles.map((variant) => variantName(direction, variant)));
const { missing } = isNightly ? await prepareStandIn(names) : { missing: 'not at night' };

describe.skipIf(missing !== undefined).each(directions)('%s in other tiles', (direction) => {
	let device: ReturnType<typeof createDevice>;
	let run: ReturnType<typeof tileVariants>;
	beforeAll(() => {
		// one multiprocessor, so that blocks go on to many tiles
		device = withStandIn({ capability: 80, multiprocessors: 1 }, () => createDevice(0));
		run = tileVariants(device, Buffer.from('.version 8.0'));
	});
	afterAll(() => device.close());

	// tiles at all edges, a depth of several steps and one that ends within a step
	it.each([
		[296, 520, 264],
		[64, 200, 96],
		[264, 200, 40],
	])('of %i × %i over %i has the bytes of the product at hand', (rows, columns, depth) => {
		const failing = device.withScratch(
			() => 'a test',
			(take) => {
				const size = { rows, columns, depth };
				const [left, right] = [rows, columns].map((lines) => randomHalves(device, take, lines * depth)) as [
					number,
					number,
				];
				const type = direction === 'TN' ? 'f32' : 'bf16';
				const bytes = bytesOf(type, rows * columns);
				const out = take(bytes);
				const found = () => {
					const copy = new Uint8Array(bytes);
					device.driver.cuMemcpyDtoHAsync_v2(copy, out, bytes, device.stream);
					device.driver.cuStreamSynchronize(device.stream);
					return Buffer.from(copy.buffer);
				};
				const operand = (address: number, lines: number, byDepth: boolean) => () => ({
					address,
					stride: byDepth ? lines : depth,
				});
				tensorProduct(
					...([device, direction, { address: out, type, accumulate: false, scale: 1 }] as const),
					operand(left, rows, direction === 'TN'),
					operand(right, columns, direction !== 'NT'),
					size,
				);
				const expected = found();
				return tiles.flatMap((variant) =>
					[false, true].flatMap((goesOn) => {
						device.driver.cuMemsetD32Async(out, 0, bytes / 4, device.stream);
						run(direction, variant, goesOn, { ...size, out, left, right });
						return found().equals(expected) ? [] : [{ ...variant, goesOn }];
					}),
				);
			},
		);
		expect(failing).toEqual([]);
	});
});

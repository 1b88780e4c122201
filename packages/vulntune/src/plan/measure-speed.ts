import { type Backend, type Precision, viewOf } from '@vulntune/engine';

/** Share of a plain matrix product's speed that a whole training step reaches. */
const STEP_SHARE = 0.75;
const SECONDS = 0.2;

/** Operations per second that training can expect, from a short matrix product on this machine now. */
export function measureFlops(backend: Backend, precision: Precision): number {
	const isSlow = backend.name === 'reference';
	const [rows, size] = isSlow ? [32, 128] : [256, 768];
	const view = (m: number, n: number) => viewOf(backend.allocate('f32', m * n), [m, n]);
	const x = view(rows, size);
	const weight = view(size, size);
	const y = view(rows, size);
	for (const tensor of [x, weight]) backend.fill(tensor, 0.5);
	const run = () => backend.matmulNT(y, x, weight, { precision, accumulate: false, scale: 1 });
	run();
	const start = performance.now();
	let runs = 0;
	do {
		run();
		runs += 1;
	} while (performance.now() - start < 1000 * SECONDS);
	backend.download(y);
	const seconds = (performance.now() - start) / 1000;
	for (const tensor of [x, weight, y]) backend.free(tensor.buffer);
	return (STEP_SHARE * 2 * rows * size * size * runs) / seconds;
}

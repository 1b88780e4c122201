import { type Backend, floatPrecision, type Precision, viewOf } from '@vulntune/engine';

/** Share of a plain matrix product's speed that a whole training step reaches. */
const STEP_SHARE = 0.75;
const SECONDS = 0.2;

/** A process that plans many runs measures once for all of them. */
const measured = new Map<string, number>();

/**
 * Operations per second that training can expect, from short matrix products on this machine, measured once in a process. What a step does beside
 * the products of the base is in floats under every precision, and takes the time that it takes beside theirs.
 */
export function measureFlops(backend: Backend, precision: Precision): number {
	const key = `${backend.name} ${backend.description} ${precision}`;
	const known = measured.get(key) ?? stepFlops(backend, precision);
	measured.set(key, known);
	return known;
}

function stepFlops(backend: Backend, precision: Precision): number {
	const speed = productFlops(backend, precision);
	if (precision === 'fp32') return STEP_SHARE * speed;
	const beside = (1 / STEP_SHARE - 1) / productFlops(backend, floatPrecision(precision));
	return 1 / (1 / speed + beside);
}

function productFlops(backend: Backend, precision: Precision): number {
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
	return (2 * rows * size * size * runs) / seconds;
}

import { describe, expect, test } from 'vitest';
import { createReferenceBackend } from './reference/reference-backend.ts';
import { backendsUnderTest } from './testing/backends-under-test.ts';
import { tensor } from './testing/tensors.ts';
import { columnsOf, extent, rowsOf } from './view.ts';

const backends = [
	{ name: 'reference', create: () => createReferenceBackend() },
	...backendsUnderTest().map(({ name, create }) => ({ name, create: () => create(1) })),
];

describe.each(backends)('columns of a matrix on $name', ({ create }) => {
	test('are refused by kernels that take whole rows, and by downloads', () => {
		const backend = create();
		const matrix = tensor(backend, [3, 4], new Float32Array(12));
		const columns = columnsOf(matrix, 1, 3);
		const whole = tensor(backend, [3, 2], new Float32Array(6));
		const strided = expect.objectContaining({ code: 'VIEW_STRIDE' });
		for (const run of [
			() => backend.add(whole, columns, whole),
			() => backend.add(columns, whole, whole),
			() => backend.matmulNN(whole, whole, columns, { precision: 'fp32', accumulate: false, scale: 1 }),
			() => backend.download(columns),
			() => backend.upload(columns, new Float32Array(6)),
		]) {
			expect(run).toThrow(strided);
		}
		backend.close();
	});
});

test('columns begin in their row and end before the matrix does', () => {
	const backend = createReferenceBackend();
	const columns = columnsOf(tensor(backend, [3, 4], new Float32Array(12)), 1, 3);
	expect(columns).toMatchObject({ offset: 1, shape: [3, 2], rowStride: 4 });
	expect(extent(columns)).toBe(10);
	expect(rowsOf(columns, 1, 3)).toMatchObject({ offset: 5, shape: [2, 2], rowStride: 4 });
	expect(columnsOf(columns, 1, 2)).toMatchObject({ offset: 2, shape: [3, 1], rowStride: 4 });
});

import { type Backend, BYTES_PER_ELEMENT, elements, type View, viewOf } from '@vulntune/engine';
import type { CudaBuffer } from '@vulntune/engine/backends/cuda/device.ts';
import type { Communicator, VectorCommunicator } from '../communicator.ts';
import { fromFirst } from '../from-first.ts';
import { createReceived } from '../received.ts';
import { stretchesOf } from '../stretches.ts';
import { loadNccl, type NcclLibrary } from './library.ts';

/**
 * Vectors that go from card to card. Everything is enqueued on the backend's stream, between its kernels: no process waits.
 *
 * @param backend a cuda backend, with another card in each process of a machine
 */
export async function createNcclVectors(
	backend: Backend,
	communicator: Communicator,
	nccl: NcclLibrary = loadNccl(),
): Promise<VectorCommunicator> {
	const { rank, size } = communicator;
	const id = await fromFirst(communicator, () => Array.from(nccl.createId()));
	// a buffer knows the device that it lies on
	const probe = backend.allocate('f32', 1) as CudaBuffer;
	const { device } = probe;
	backend.free(probe);
	const cards = nccl.join(Uint8Array.from(id), rank, size, device.stream);
	const own = stretchesOf(rank, size);
	const received = createReceived(backend, communicator); // [size · stretch]

	return {
		...communicator,
		description: nccl.version,
		stretch: own.of,
		async collect(vector) {
			const { length } = own.bounds(vector);
			const views = await received.of(vector, size * length);
			const parts = Array.from({ length: size }, (_, from) => viewOf(views.buffer, [length], from * length));
			cards.group(() => {
				for (const [peer, part] of parts.entries()) {
					const theirs = stretchesOf(peer, size).of(vector);
					if (elements(theirs.shape) > 0) cards.send(device.floats(theirs), elements(theirs.shape), peer);
					if (length > 0) cards.receive(device.floats(part), length, peer);
				}
			});
			return parts;
		},
		async spread(vector) {
			cards.group(() => {
				for (let root = 0; root < size; root++) {
					const stretch = stretchesOf(root, size).of(vector);
					if (elements(stretch.shape) > 0) {
						cards.broadcast(device.address(stretch), bytesIn(stretch), root);
					}
				}
			});
		},
		async broadcast(vector) {
			cards.broadcast(device.address(vector), bytesIn(vector), 0);
		},
		close() {
			received.free();
			cards.destroy();
		},
	};
}

function bytesIn({ dtype, shape }: View): number {
	return BYTES_PER_ELEMENT[dtype] * elements(shape);
}

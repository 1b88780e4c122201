import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileError } from '../file-errors.ts';
import { flushFolder, writeBytesAt } from '../files.ts';
import { planShards, type ShardOptions, writeIndex } from './sharded.ts';
import {
	byAlignmentThenName,
	encodeHeader,
	entryBytes,
	entryError,
	type TensorDescription,
} from './writer.ts';

/** The weights of a model whose files are laid out and wait for their bytes. */
export interface PlannedFiles {
	/** Writes bytes of a tensor, from `byteOffset` of it on (default 0), while the thread goes on. Throws `DISK_FULL` and its like. */
	write(name: string, bytes: Uint8Array, byteOffset?: number): Promise<void>;
	/** Gives the files their names once all of them lie on the disk, and returns these. Throws `SAFETENSORS_ENTRY` where bytes of a tensor are missing. */
	finish(): readonly string[];
	/** Removes what is not finished; call it in any case, when nothing is being written any more. */
	discard(): void;
}

/** A tensor's place, from `start` of its file on. */
interface Place {
	readonly tensor: TensorDescription;
	readonly file: OpenPart;
	readonly start: number;
	readonly bytes: number;
	written: number;
}

interface OpenPart {
	readonly name: string;
	readonly temporary: string;
	descriptor: number | undefined;
}

/**
 * Files as `writeShardedSafetensors` writes them, to the byte, for tensors whose sizes are known before their values: bytes go to their
 * place in whatever order they come, and nothing is kept.
 */
export async function openPlannedSafetensors(
	folder: string,
	tensors: readonly TensorDescription[],
	{ metadata = {}, maxShardBytes = 5e9 }: ShardOptions = {},
): Promise<PlannedFiles> {
	const shards = planShards(folder, tensors, maxShardBytes);
	const places = new Map<string, Place>();
	const open: OpenPart[] = [];
	const discard = () => {
		for (const file of open.filter(({ descriptor }) => descriptor !== undefined)) {
			closeSync(file.descriptor!);
			file.descriptor = undefined;
			rmSync(file.temporary, { force: true });
		}
	};
	const write = async (file: OpenPart, bytes: Uint8Array, offset: number) => {
		try {
			await writeBytesAt(file.descriptor!, bytes, offset);
		} catch (error) {
			throw fileError(error, path.join(folder, file.name), 'written');
		}
	};
	try {
		for (const shard of shards) {
			const whole = path.join(folder, shard.file);
			const sorted = [...shard.tensors].sort(byAlignmentThenName);
			const header = encodeHeader(sorted, metadata, whole);
			const temporary = `${whole}.${process.pid}.partial`;
			const file: OpenPart = { name: shard.file, temporary, descriptor: openSync(temporary, 'wx') };
			open.push(file);
			let start = header.length;
			for (const tensor of sorted) {
				const bytes = entryBytes(tensor, whole);
				places.set(tensor.name, { tensor, file, start, bytes, written: 0 });
				start += bytes;
			}
			await write(file, header, 0);
		}
	} catch (error) {
		discard();
		throw fileError(error, folder, 'written');
	}
	return {
		async write(name, bytes, byteOffset = 0) {
			const place = places.get(name);
			if (place === undefined || byteOffset + bytes.length > place.bytes) {
				throw new RangeError(`no place for ${bytes.length} bytes of ${name} from ${byteOffset} on`);
			}
			await write(place.file, bytes, place.start + byteOffset);
			place.written += bytes.length;
		},
		finish() {
			for (const { tensor, bytes, written } of places.values()) {
				if (written === bytes) continue;
				throw entryError(tensor, `${bytes} bytes are expected, found ${written}`, folder);
			}
			for (const file of open) nameFile(file, folder);
			flushFolder(folder);
			return [...shards.map(({ file }) => file), ...writeIndex(folder, shards)];
		},
		discard,
	};
}

function nameFile(file: OpenPart, folder: string): void {
	const whole = path.join(folder, file.name);
	try {
		fsyncSync(file.descriptor!);
		renameSync(file.temporary, whole);
	} catch (error) {
		throw fileError(error, whole, 'written');
	}
	closeSync(file.descriptor!);
	file.descriptor = undefined;
}

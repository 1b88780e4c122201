import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export interface Gpu {
	readonly name: string;
	readonly memoryBytes: number;
	readonly driver: string;
}

/** NVIDIA GPUs as their own tool lists them; none where it is not there or does not answer. */
export async function findGpus(): Promise<Gpu[]> {
	try {
		const query = ['--query-gpu=name,memory.total,driver_version', '--format=csv,noheader,nounits'];
		const { stdout } = await promisify(execFile)('nvidia-smi', query, { timeout: 5000 });
		return parseGpuList(stdout);
	} catch {
		return [];
	}
}

/** Lines of `name, MiB, driver`. */
export function parseGpuList(text: string): Gpu[] {
	return text.split('\n').flatMap((line) => {
		const [name, mebibytes, driver] = line.split(',').map((part) => part.trim());
		const memoryBytes = Number(mebibytes) * 2 ** 20;
		if (!name || driver === undefined || !Number.isFinite(memoryBytes)) return [];
		return [{ name, memoryBytes, driver }];
	});
}

/**
 * NVIDIA's compiler and assembler from PyPI, without a toolkit: each wheel is fetched with pip once into `build/`. A folder that the
 * variable VULNTUNE_CUDA_WHEELS names is used instead, where the wheels have been unpacked by hand.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const folder =
	process.env.VULNTUNE_CUDA_WHEELS ||
	path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..', 'build', 'cuda-wheels');

/** NVRTC 12.0, so that what it makes (PTX 8.0) loads on drivers from 525 on. */
const nvrtc = { wheel: 'nvidia-cuda-nvrtc-cu12==12.0.140', file: 'nvidia/cuda_nvrtc/lib/libnvrtc.so.12' };
/** The first assembler of a wheel that still knows compute capability 7.0. */
const ptxas = { wheel: 'nvidia-cuda-nvcc-cu12==12.4.131', file: 'nvidia/cuda_nvcc/bin/ptxas' };

/** Where a wheel's file lies; fetches the wheel unless it is there. Throws where that can't be done. */
function fetched({ wheel, file }) {
	const found = path.join(folder, file);
	if (existsSync(found)) return found;
	mkdirSync(folder, { recursive: true });
	const scratch = mkdtempSync(path.join(folder, 'download-'));
	try {
		const python = (args) => execFileSync('python3', args, { stdio: ['ignore', 'ignore', 'pipe'] });
		python(['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', scratch, wheel]);
		for (const name of readdirSync(scratch)) {
			python(['-m', 'zipfile', '-e', path.join(scratch, name), path.join(scratch, 'unpacked')]);
		}
		const part = file.split('/').slice(0, 2).join('/');
		mkdirSync(path.join(folder, 'nvidia'), { recursive: true });
		if (!existsSync(path.join(folder, part))) {
			renameSync(path.join(scratch, 'unpacked', part), path.join(folder, part));
		}
	} catch (cause) {
		throw new Error(`${wheel} could not be fetched with python3 -m pip`, { cause });
	} finally {
		rmSync(scratch, { recursive: true, force: true });
	}
	// the archive's reader doesn't keep what may be executed
	chmodSync(found, 0o755);
	return found;
}

export const nvrtcPath = () => fetched(nvrtc);
export const ptxasPath = () => fetched(ptxas);

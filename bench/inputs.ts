import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

/** The unpacked SmolLM2-135M, where a test or a person has put it. */
export function pretrainedFolder(): string | undefined {
	const folder = path.join(homedir(), '.cache', 'vulntune-models', 'smollm2-135m');
	return existsSync(path.join(folder, 'model.safetensors')) ? folder : undefined;
}

/** X1 without P3, beside the project or where VULNTUNE_SHARED says. */
export function datasetFolder(): string | undefined {
	const shared = process.env.VULNTUNE_SHARED ?? path.resolve(import.meta.dirname, '../../shared');
	const folder = path.join(shared, 'data', 'x1-without-p3');
	return existsSync(path.join(folder, 'train.jsonl')) ? folder : undefined;
}

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { temporaryFolder, testBackend, writeTinyDataset, writeTinyModel } from '../tiny.ts';

/** A folder as a user might have it: a base model, a dataset and a config. */
export interface Project {
	readonly root: string;
	readonly model: string;
	readonly data: string;
	/** `config.yaml` in it trains in about a second. */
	readonly config: string;
	/** A path in the folder. */
	readonly inside: (name: string) => string;
}

const config = `# a tiny run
model: model
data: { path: data }
method: { type: lora, rank: 2, alpha: 4, dropout: 0.1 }
sequence: { length: 96, largeFunctions: truncate }
training:
  epochs: 2
  learningRate: 0.01
  accumulation: 2
  precision: fp32
  checkpointEverySteps: 1
backend: ${testBackend}
`;

export function createProject(sizes = { train: 12, valid: 6, test: 6 }): Project {
	const root = temporaryFolder();
	const inside = (name: string) => path.join(root, name);
	writeTinyModel(inside('model'));
	writeTinyDataset(inside('data'), sizes);
	writeFileSync(inside('config.yaml'), config);
	return { root, model: inside('model'), data: inside('data'), config: inside('config.yaml'), inside };
}

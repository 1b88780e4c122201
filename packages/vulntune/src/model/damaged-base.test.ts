import path from 'node:path';
import { openModelFolder, openSafetensors, VulntuneError, writeSafetensors } from '@vulntune/engine';
import { expect, it } from 'vitest';
import { runTraining } from 'vulntune';
import { temporaryFolder, tinyConfig, writeTinyDataset, writeTinyModel } from '../../../../tests/tiny.ts';
import { blamingBase } from './damaged-base.ts';
import { quantizeModel } from './quantize-model.ts';

const root = temporaryFolder();
const sound = writeTinyModel(path.join(root, 'sound'));
const damaged = writeTinyModel(path.join(root, 'damaged'));
const name = 'model.layers.1.mlp.up_proj.weight';

/** Writes NaN over the third element of one matrix. */
function damage(folder: string): void {
	const file = path.join(folder, 'model.safetensors');
	const { tensors, read, close } = openSafetensors(file);
	const entries = [...tensors].map(([tensor, { dtype, shape }]) => {
		const data = read(tensor);
		if (tensor === name) new Float32Array(data.buffer)[2] = Number.NaN;
		return { name: tensor, dtype, shape, data };
	});
	close();
	writeSafetensors(file, entries);
}
damage(damaged);

const expected = {
	code: 'MODEL_NOT_FINITE',
	place: damaged,
	message: expect.stringContaining(`${name} holds NaN`),
};

it.each(['fp32', 'nf4'])(
	'a damaged weight is named when training on a base in %s goes wrong',
	async (base) => {
		const data = writeTinyDataset(path.join(root, 'data'), { train: 4, valid: 2, test: 2 });
		const method = { 'method.type': base === 'nf4' ? 'qlora' : 'lora', 'method.base': base };
		const config = tinyConfig({ model: damaged, data, output: path.join(root, base) }, method);
		const run = runTraining(
			config,
			{ resume: false, overwrite: false },
			{ emit() {}, interrupted: () => false },
		);
		await expect(run).rejects.toMatchObject(expected);
	},
);

it('and when the base is quantised', async () => {
	const options = { type: 'nf4', doubleQuantization: true, overwrite: false } as const;
	const quantized = quantizeModel({ model: damaged, output: path.join(root, 'nf4-model'), ...options });
	await expect(quantized).rejects.toMatchObject(expected);
});

it('an error stays what it is where the base is sound, or the error another', async () => {
	const failing = async (folder: string, code: string) => {
		const model = openModelFolder(folder);
		const fail = () => {
			throw new VulntuneError({ code, kind: 'runtime', message: 'no longer a number' });
		};
		await expect(blamingBase(model, fail)).rejects.toMatchObject({ code });
		model.close();
	};
	await failing(sound, 'LOSS_NOT_FINITE');
	await failing(damaged, 'DISK_FULL');
});

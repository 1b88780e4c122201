import { existsSync } from 'node:fs';
import path from 'node:path';
import { inputError } from '@vulntune/engine/errors.ts';
import { isGgufFile } from '@vulntune/engine/formats/model-files.ts';
import { readModelConfig } from '@vulntune/engine/models/model-folder.ts';
import { exportModel } from '../export/export-model.ts';
import { mergeModel } from '../export/merge-model.ts';
import { describeMerge } from '../export/merge-text.ts';
import { adapterFolder } from '../methods/adapter-folder.ts';
import { readAdapterInfo } from '../model/adapter-info.ts';
import { checkBaseModel, checkModelName } from '../model/base-model.ts';
import { describeAdapter, describeModel } from '../model/info-text.ts';
import { configFileName } from '../model/model-files.ts';
import { readModelInfo } from '../model/model-info.ts';
import { quantizeModel } from '../model/quantize-model.ts';
import { describeQuantization } from '../model/quantize-text.ts';
import { availableMemory } from '../sizing/memory.ts';
import type { CommandResult } from '../terminal/context.ts';
import { exitCodes } from '../terminal/exit-code.ts';
import { formatBytes } from '../terminal/format.ts';
import { fitSetting, modelMemory } from '../training/what-fits.ts';
import { fetchModel } from './fetch-model.ts';
import { describeMemory } from './memory-text.ts';
import type { InfoRequest, ModelCommands } from './model.ts';

/** What does the work of `vulntune model info|quantize|merge|export`. */
export const modelCommands: ModelCommands = {
	async info({ download, ...request }, context) {
		const model = request.model && (await fetchModel(request.model, download, context));
		return modelInfo({ ...request, location: await fetchModel(request.location, download, context), model });
	},
	async quantize(request, context) {
		const { progress, interruption } = context;
		const { output, type, double, overwrite } = request;
		const model = await fetchModel(request.model, request.download, context);
		checkBaseModel(model);
		const report = await quantizeModel({
			model,
			output,
			type,
			doubleQuantization: double,
			overwrite,
			signal: interruption(),
			progress: (done, total) =>
				progress.update({ task: `quantising to ${type}`, done, total, unit: 'matrices' }),
		});
		return { data: report, text: describeQuantization(report) };
	},
	async merge(request, { progress, interruption }) {
		const report = await mergeModel({
			...request,
			signal: interruption(),
			note: progress.note,
			progress: (done, total) => progress.update({ task: 'merging', done, total, unit: 'tensors' }),
		});
		return { data: report, text: describeMerge(report) };
	},
	async export(request, { progress, interruption }) {
		const report = await exportModel({
			...request,
			signal: interruption(),
			note: progress.note,
			progress: (done, total) =>
				progress.update({ task: `writing ${request.to}`, done, total, unit: 'tensors' }),
		});
		const { files, bytes, tensors, type, warnings } = report;
		const text = `${files.join(', ')}: ${tensors} tensors in ${type}, ${formatBytes(bytes)}`;
		return { data: report, text: [text, ...warnings.flatMap((line) => ['', line])].join('\n') };
	},
};

/** A model, an adapter, or a run with one of them; exit code 2 where parts of a model, or an adapter and its base, do not fit together. */
function modelInfo({
	location,
	model,
	allowOtherBase,
	length,
}: Omit<InfoRequest, 'download'>): CommandResult {
	checkModelName(location);
	const folder = adapterFolder(location);
	if (!isGgufFile(folder) && !existsSync(path.join(folder, configFileName))) {
		if (length !== undefined) {
			throw inputError('USAGE', '--length asks what a model takes; this is an adapter', { place: folder });
		}
		const info = readAdapterInfo(folder, model);
		const isWrong = info.base.state === 'other' && !allowOtherBase;
		return { data: info, text: describeAdapter(info), exitCode: isWrong ? exitCodes.input : 0 };
	}
	if (model !== undefined) {
		throw inputError('USAGE', '--model says where the base of an adapter lies; this is a model', {
			place: folder,
		});
	}
	const info = readModelInfo(folder);
	const exitCode = info.problems.length === 0 ? 0 : exitCodes.input;
	const config = readModelConfig(folder);
	if (length !== undefined && length > config.maxPositions) {
		const given = `--length ${length} is beyond the ${config.maxPositions} tokens that the model reads`;
		throw inputError('USAGE', given, { place: folder, remedy: 'Give a shorter --length.' });
	}
	const tokens = length ?? Math.min(fitSetting.tokens, config.maxPositions);
	const memory = modelMemory(config, tokens, availableMemory());
	return { data: { ...info, memory }, text: `${describeModel(info)}\n\n${describeMemory(memory)}`, exitCode };
}

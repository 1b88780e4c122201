import { existsSync } from 'node:fs';
import { inputError, VulntuneError } from '@vulntune/engine/errors.ts';
import { z } from 'zod';
import { findSnapshot } from '../hub/cache.ts';
import { isHubName, parseHubName } from '../hub/names.ts';
import type { CommandContext } from '../terminal/context.ts';

/** The flag without which nothing is fetched. */
export const downloadFlag = z
	.boolean()
	.default(false)
	.describe("fetch the model from the hub where it isn't in the cache (owner/name or owner/name@revision)");

/**
 * The folder of a model that is named as on a hub: the one in the cache, or with `download` fetched into it. Any other text, and a name that
 * is in no cache without `download`, stays as it is.
 *
 * @throws VulntuneError what `downloadModel` throws, INTERRUPTED, HUB_OFFLINE where HF_HUB_OFFLINE forbids it
 */
export async function fetchModel(
	model: string,
	download: boolean,
	{ progress, interruption }: CommandContext,
): Promise<string> {
	if (existsSync(model) || !isHubName(model)) return model;
	const present = findSnapshot(parseHubName(model));
	if (present !== undefined || !download) return present ?? model;
	if (['1', 'true', 'yes', 'on'].includes((process.env.HF_HUB_OFFLINE ?? '').toLowerCase())) {
		throw inputError('HUB_OFFLINE', 'HF_HUB_OFFLINE says that nothing may be fetched', {
			place: model,
			remedy: 'Unset HF_HUB_OFFLINE, or give the folder of a model.',
		});
	}
	const signal = interruption();
	const { downloadModel } = await import('../hub/download-model.ts');
	try {
		return await downloadModel(model, {
			signal,
			progress: (file, done, total) =>
				progress.update({ task: `fetching ${model}`, done, total, unit: 'bytes', detail: file }),
		});
	} catch (error) {
		if (!signal.aborted) throw error;
		throw new VulntuneError({
			code: 'INTERRUPTED',
			kind: 'interrupted',
			message: 'stopped; what was fetched is kept',
			place: model,
			remedy: 'Run the same command again: it goes on from there.',
		});
	}
}

import { existsSync, readFileSync } from 'node:fs';
import { type Backend, type BackendChoice, createBackend, VulntuneError } from '@vulntune/engine';
import type { RunFolder } from './run-folder.ts';

/**
 * The backend of a choice, and where that leaves something open (`type: auto`, `isa: auto`) the one that the run in the folder
 * was made on: its bytes depend on it. Where this machine lacks that one, a note says what is taken instead.
 *
 * @param folder of an earlier run; undefined where there is none
 */
export function openRunBackend(
	folder: RunFolder | undefined,
	choice: BackendChoice,
	note: (line: string) => void,
): Backend {
	const earlier = recordedChoice(folder, choice);
	if (Object.keys(earlier).length === 0) return createBackend(choice, note);
	try {
		return createBackend({ ...choice, ...earlier }, note);
	} catch (error) {
		if (!(error instanceof VulntuneError) || error.kind === 'resources') throw error;
		const backend = createBackend(choice, note);
		note(
			`the backend that the run was made on is not here (${error.summary}): it goes on with ${backend.name} (${backend.description})`,
		);
		return backend;
	}
}

/** What environment.json of an earlier run says of what a choice leaves open; earlier versions wrote no `hardware`. */
export function recordedChoice(
	folder: RunFolder | undefined,
	{ type, isa }: BackendChoice,
): Partial<BackendChoice> {
	if (folder === undefined || !existsSync(folder.environment)) return {};
	const { backend, hardware } = JSON.parse(readFileSync(folder.environment, 'utf8'));
	const made = String(backend).split(' ')[0] as BackendChoice['type'];
	const isOpen = type === 'auto' && ['cuda', 'cpu', 'wasm', 'reference'].includes(made);
	const isCpu = made === 'cpu' && (isOpen || type === 'cpu');
	return {
		...(isOpen ? { type: made } : {}),
		...(isCpu && isa === 'auto' && typeof hardware?.isa === 'string' ? { isa: hardware.isa } : {}),
	};
}

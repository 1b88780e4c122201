import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { makeFolder, writeFileAtomically } from '@vulntune/engine/formats/files.ts';
import { type Audit, auditDataset } from './audit-dataset.ts';
import type { SplitRows } from './join-splits.ts';
import type { Projects } from './projects.ts';

/** Where audits are kept unless a caller says otherwise. */
export function defaultAuditFolder(): string {
	return path.join(os.homedir(), '.cache', 'vulntune', 'audits');
}

/** Changes with whatever changes an audit of the same rows. */
const version = 2;

/**
 * The audit of some rows, which is kept: the same rows are compared once. A file that can't be read is made again, and a folder that can't be
 * written costs only the time of the next run.
 *
 * @param key names the rows: the hash of their files, and what was left out of them
 */
export async function cachedAudit(
	splits: SplitRows,
	projects: Projects,
	key: string,
	folder: string = defaultAuditFolder(),
): Promise<Audit> {
	const name = createHash('sha256').update(`audit ${version}\n${key}\n${projects.hash}`).digest('hex');
	const file = path.join(folder, `${name}.json`);
	const kept = await readFile(file, 'utf8').then(parseAudit, () => undefined);
	if (kept !== undefined) return kept;
	const audit = auditDataset(splits, projects);
	try {
		makeFolder(folder);
		writeFileAtomically(file, (append) => append(new TextEncoder().encode(JSON.stringify(audit))));
	} catch {
		// it saves time and nothing else
	}
	return audit;
}

function parseAudit(text: string): Audit | undefined {
	try {
		const value = JSON.parse(text) as Audit;
		return value.schema === 'vulntune.audit/1' ? value : undefined;
	} catch {
		return undefined;
	}
}

import { readFileSync } from 'node:fs';
import { doctorCommand } from '../commands/doctor.ts';
import { runCommandLine } from './program.ts';
import { processTerminal } from './terminal.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
	version: string;
};

const commands = [doctorCommand];

process.exitCode = await runCommandLine(process.argv.slice(2), commands, processTerminal(), version);

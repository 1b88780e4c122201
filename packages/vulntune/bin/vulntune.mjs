#!/usr/bin/env node
// Plain JavaScript that any Node can parse: it says which Node is needed before anything newer is read.
const oldest = 24;
/** Set in what `startPinned` starts. */
const launched = 'VULNTUNE_LAUNCHED';
const endings = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const major = Number(process.versions.node.split('.')[0]);
if (major >= oldest) {
	endWithLauncher();
	// keeps compiled sources between runs: starting costs a third of the time
	const { enableCompileCache } = await import('node:module');
	enableCompileCache();
	// a clone runs its source, a package what was built from it
	const { existsSync } = await import('node:fs');
	const source = new URL('../src/cli/start.ts', import.meta.url);
	await import((existsSync(source) ? source : new URL('../dist/cli/start.js', import.meta.url)).href);
} else {
	await startPinned();
}

/** A clone pins its own Node as a dependency of its root; `npx vulntune` may still start with the machine's. */
async function startPinned() {
	const { existsSync } = await import('node:fs');
	const { fileURLToPath } = await import('node:url');
	const pinned = fileURLToPath(new URL('../../../node_modules/node/bin/node', import.meta.url));
	if (!existsSync(pinned)) {
		console.error(
			`error: vulntune needs Node ${oldest} or newer, this is ${process.versions.node}\n  Install it from nodejs.org.`,
		);
		process.exitCode = 2;
		return;
	}
	const { spawn } = await import('node:child_process');
	const child = spawn(pinned, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
		// the channel tells the child when this process is gone
		stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
		env: { ...process.env, [launched]: '1' },
	});
	// what a terminal or a job's end sends to both, the child takes for one
	for (const signal of endings) process.on(signal, () => child.kill(signal));
	child.on('error', (error) => {
		console.error(`error: ${pinned} can't be started: ${error.message}`);
		process.exitCode = 4;
	});
	child.on('exit', (code, signal) => {
		process.exitCode = code ?? (endings.includes(signal) ? 130 : 4);
	});
}

/** What `startPinned` started saves and ends, as at the end of a terminal, when that process is gone. */
function endWithLauncher() {
	if (process.env[launched] === undefined) return;
	delete process.env[launched];
	process.on('disconnect', () => process.kill(process.pid, 'SIGHUP'));
	// what only listens keeps no process alive
	process.channel?.unref();
}

import type { Draw } from './draw.ts';
import { plainWords } from './names.ts';
import { fill, type Statement } from './text.ts';

/** Beside the point in every function: none reads or changes a variable that a scheme uses. `{exit}` leaves the function. */
const templates: readonly Statement[] = [
	['log.debug("{w} started");'],
	['metrics.increment("{w}");'],
	['Objects.requireNonNull(context);'],
	['lock.assertHeld();'],
	['counter += {n};'],
	['validator.reset();'],
	['sanitizer.report("{w}");'],
	['String {w}Label = labels.get("{w}");'],
	['int {w}Limit = settings.limit("{w}", {n});'],
	['listeners.forEach(Listener::changed);'],
	['if (!context.isActive()) {', '    {exit}', '}'],
	['if (queue.isFull()) {', '    log.warn("{w} is full");', '}'],
	['for (int k = 0; k < {n}; k++) {', '    ring.advance();', '}'],
	['if (settings.isSet("{w}")) {', '    counter++;', '}'],
	// Looks like a protection, protects nothing that matters.
	['String {w}Text = html.escape(labels.get("{w}"));'],
	['if (!root.contains(settings.home())) {', '    {exit}', '}'],
	['if (!allowed.contains("{w}")) {', '    {exit}', '}'],
	['random = new SecureRandom();'],
	// Looks dangerous, is harmless.
	['Runtime.getRuntime().exec("sync");'],
	['statement.executeQuery("select {n}");'],
	['byte[] {w}Bytes = new byte[{n}];'],
	['etag = MessageDigest.getInstance("MD5");'],
	['out.println("<p>{w}</p>");'],
	['File {w}File = new File("{w}.txt");'],
];

/** `count` different distractors; `exit` is how this function is left early. */
export function distractors(draw: Draw, count: number, exit: string): Statement[] {
	const words = draw.sample(plainWords, count);
	return draw.sample(templates, count).map((template, index) => {
		const values = { w: words[index]!, n: String(2 + draw.below(60)), exit };
		return template.map((line) => fill(line, values));
	});
}

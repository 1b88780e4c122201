/** A model on a hub: `owner/name`, and the branch, tag or commit that is meant. */
export interface HubName {
	readonly name: string;
	readonly revision: string;
}

const hubName = /^([\w-][\w.-]*\/[\w-][\w.-]*)(?:@(\w[\w.-]*(?:\/\w[\w.-]*)*))?$/;

/** `owner/name` or `owner/name@revision`, as a hub of models has it. */
export function isHubName(text: string): boolean {
	return hubName.test(text);
}

/** The parts of a name; without a revision it is `main`. */
export function parseHubName(text: string): HubName {
	const [, name, revision = 'main'] = hubName.exec(text)!;
	return { name: name!, revision };
}

/** Whether a revision is the number of a commit, which never changes. */
export function isCommit(revision: string): boolean {
	return /^[0-9a-f]{40}$/.test(revision);
}

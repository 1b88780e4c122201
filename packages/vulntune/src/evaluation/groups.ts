/**
 * Groups for the bootstrap from commits. A row without a commit is a group of its own.
 * @param commits [rows]
 */
export function groupsOf(commits: readonly (string | undefined)[]): {
	groups: string[];
	groupedBy: 'commit' | 'function';
} {
	const groups = commits.map((commit, row) => (commit === undefined ? `row ${row}` : `commit ${commit}`));
	return { groups, groupedBy: commits.some((commit) => commit !== undefined) ? 'commit' : 'function' };
}

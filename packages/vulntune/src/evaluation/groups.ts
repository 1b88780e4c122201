/** What the bootstrap draws together. */
export type GroupedBy = 'commit' | 'function' | 'cluster';

/** What is resampled together, as a table says it. */
export const groupNames: Readonly<Record<GroupedBy, string>> = {
	commit: 'fix commits',
	function: 'functions',
	cluster: 'groups of projects and near-duplicates',
};

/**
 * Groups for the bootstrap: clusters where they are known, else commits. A row without a commit is a group of its own.
 *
 * @param commits [rows]
 * @param clusters [rows] what a row shares with others beyond its commit
 */
export function groupsOf(
	commits: readonly (string | undefined)[],
	clusters: readonly (string | undefined)[] = [],
): {
	groups: string[];
	groupedBy: GroupedBy;
} {
	const isClustered = clusters.length > 0 && clusters.every((cluster) => cluster !== undefined);
	if (isClustered) return { groups: clusters.map(String), groupedBy: 'cluster' };
	const groups = commits.map((commit, row) => (commit === undefined ? `row ${row}` : `commit ${commit}`));
	return { groups, groupedBy: commits.some((commit) => commit !== undefined) ? 'commit' : 'function' };
}

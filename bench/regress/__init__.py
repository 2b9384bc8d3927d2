"""Whether a change made networks slower: two revisions, timed side by side in pairs of fresh processes."""

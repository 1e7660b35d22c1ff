"""Another file while the node runs: what is different (diff), what that asks for (plan). Both are pure."""

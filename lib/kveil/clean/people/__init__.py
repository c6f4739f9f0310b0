"""People who are registered several times: found by probabilistic linkage, and made one."""

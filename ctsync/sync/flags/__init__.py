"""The events of flags that become true or are cleared, live and derived again."""

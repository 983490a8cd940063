"""From a model to operations: one file per source of calls, then readers, then assembly."""

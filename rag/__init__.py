"""The reading half of Mingbai: models, indexes, retrieval, generation, grounding."""

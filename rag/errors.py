"""Every error Mingbai raises on purpose.

Draw of the tree::

    MingbaiError
    ├── UsageError                 the caller asked for something impossible (exit code 2)
    │   ├── QuestionError          empty, only punctuation, or too long
    │   └── SettingsError          unknown key, bad value, unreadable file
    ├── SourceError                one source file cannot be read; never stops a batch
    ├── NotebookIndexError         the index as a whole
    │   ├── IndexMissingError      nothing was ingested yet
    │   ├── StaleIndexError        built with other settings or models
    │   ├── DamagedIndexError      a checksum or a size does not fit the manifest
    │   └── IndexBusyError         another ingest holds the lock
    ├── ModelError                 model weights
    │   ├── UnknownModelError      no such id in the catalogue
    │   ├── ModelMissingError      not on this machine yet
    │   ├── ModelHashError         the bytes are not the allowed ones
    │   ├── LicenceError           the licence was not accepted
    │   └── DownloadError          no source could deliver (network, disk, half a file)
    ├── StorageError               disk full or not writable
    └── EngineError                the generator
        ├── PromptTooLongError     the prompt does not fit the context
        ├── QueueFullError         as many questions wait as are allowed
        ├── GenerationCancelledError    the caller cancelled; not a failure
        └── EndpointError          a remote generator did not answer as agreed

A message says what happened, the value, and the next step.
"""


class MingbaiError(Exception):
    """Base of all errors that Mingbai raises on purpose."""


class UsageError(MingbaiError):
    """The caller asked for something that cannot be done as asked."""


class QuestionError(UsageError):
    """The question is empty, holds no words, or is too long."""


class SettingsError(UsageError):
    """A setting is unknown, out of bounds, or its file cannot be read."""


class SourceError(MingbaiError):
    """One source file cannot be read. Reported per file; the batch goes on."""


class NotebookIndexError(MingbaiError):
    """The index of a notebook cannot be used."""


class IndexMissingError(NotebookIndexError):
    """There is no index in the folder."""


class StaleIndexError(NotebookIndexError):
    """The index was built with other models or settings than are asked for now."""


class DamagedIndexError(NotebookIndexError):
    """A file of the index does not match the manifest."""


class IndexBusyError(NotebookIndexError):
    """Another ingest is writing this index."""


class ModelError(MingbaiError):
    """Something is wrong with model weights."""


class UnknownModelError(ModelError):
    """The model id is not in the catalogue."""


class ModelMissingError(ModelError):
    """The model is not on this machine yet."""


class ModelHashError(ModelError):
    """The bytes of a model file are not the allowed ones."""


class LicenceError(ModelError):
    """The licence of a model was not accepted."""


class DownloadError(ModelError):
    """No source could deliver the model."""


class StorageError(MingbaiError):
    """The disk is full or the folder cannot be written."""


class EngineError(MingbaiError):
    """The generator failed."""


class PromptTooLongError(EngineError):
    """The prompt does not fit the context of the model."""


class QueueFullError(EngineError):
    """As many questions wait for the generator as are allowed; a later one may be taken."""


class GenerationCancelledError(EngineError):
    """The caller cancelled a generation that was running or queued."""


class EndpointError(EngineError):
    """A remote generator could not be reached or answered something else than agreed."""

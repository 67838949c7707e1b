"""Text to tokens and back by a checkpoint's tokenizer, and whether two checkpoints can be exchanged in place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmst.model_directory import trusts_code

# Files that an engine reads when it starts, and not when its weights are exchanged.
_READ_ONCE = (
    "generation_config.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab*",
    "merges*",
)


class Codec:
    """Exact encoding and decoding for one checkpoint."""

    def __init__(self, checkpoint: str) -> None:
        from transformers import AutoTokenizer

        self._tokenizer: Any = AutoTokenizer.from_pretrained(checkpoint, trust_remote_code=trusts_code())
        self.ends = _ends(checkpoint, self._tokenizer)
        marked = {number for number, token in self._tokenizer.added_tokens_decoder.items() if token.special}
        self._special = marked.union(self._tokenizer.all_special_ids).difference(self.ends)

    def encode(self, prompt: str) -> list[int]:
        """The prompt as tokens. Begin of text is not added twice: a chat template may have written it."""
        begun = self._tokenizer.bos_token is not None and prompt.startswith(self._tokenizer.bos_token)
        return self._tokenizer.encode(prompt, add_special_tokens=not begun)

    def decode(self, tokens: Sequence[int], finish: str, stop: Sequence[str] = ()) -> tuple[str, str]:
        """Text and finish reason of a completion, cut before the first stop string and without end of text.

        Any other special token makes the finish reason `special`, since the text does not show it.
        """
        written = list(tokens[:-1]) if tokens and tokens[-1] in self.ends else list(tokens)
        text: str = self._tokenizer.decode(written, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        found = [place for place in (text.find(string) for string in stop) if place >= 0]
        if found:
            text, finish = text[: min(found)], "stop"
        return text, finish if self._special.isdisjoint(written) else "special"


def _ends(checkpoint: str, tokenizer: Any) -> frozenset[int]:
    """Tokens that end a text, by the generation configuration and the tokenizer."""
    from transformers import GenerationConfig

    try:
        named = GenerationConfig.from_pretrained(checkpoint).eos_token_id
    except OSError:
        named = None
    ends = named if isinstance(named, list) else [named]
    return frozenset(end for end in [*ends, tokenizer.eos_token_id] if end is not None)


def shape_of(checkpoint: str) -> str | None:
    """Equal for checkpoints that an engine can exchange in place: those of the same architecture, tokenizer and ends.

    None if it is not a local directory, so that nothing is exchanged with it.
    """
    root = Path(checkpoint)
    if not root.is_dir():
        return None
    config = json.loads((root / "config.json").read_text())
    for incidental in ("_name_or_path", "transformers_version"):
        config.pop(incidental, None)
    digest = hashlib.blake2b(json.dumps(config, sort_keys=True).encode())
    for path in sorted({path for pattern in _READ_ONCE for path in root.glob(pattern)}):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()

"""What every network here is: a diffusers model whose files depend on its weights and configuration alone."""

import json

from diffusers.configuration_utils import ConfigMixin
from diffusers.models.modeling_utils import ModelMixin
from torch import nn


class Model(ModelMixin, ConfigMixin):
    """Saves without the folder that it was loaded from, which diffusers would note: equal models give equal bytes."""

    to = nn.Module.to
    """As every module does it. That of diffusers looks for quantised and offloaded layers first, of which there are
    none, by libraries whose import takes as long as torch's."""

    def to_json_string(self) -> str:
        config = json.loads(super().to_json_string())
        config.pop("_name_or_path", None)
        return json.dumps(config, indent=2, sort_keys=True) + "\n"

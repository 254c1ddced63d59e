"""An encoder and a decoder as one network, with the code between them."""

from __future__ import annotations

from torch import Tensor, nn


class Autoencoder(nn.Module):
    """Inputs become a code, and a code becomes inputs again.

    Args:
        encoder: from inputs (batch, ...) to the code, (batch, code); of a variational one to the
            means and the log variances of a normal distribution, (batch, 2 * code).
        decoder: from codes to the numbers of an input, (batch, numbers).
        code: numbers of a code.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, code: int):
        super().__init__()
        self.encoder, self.decoder, self.code = encoder, decoder, code

    def encode(self, inputs: Tensor) -> Tensor:
        """Return the code of inputs (batch, ...): of a variational one its mean, (batch, code)."""
        found: Tensor = self.encoder(inputs)[:, : self.code]
        return found

    def distribution(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and log variances of a variational code, (batch, code) each."""
        mean, log_variance = self.encoder(inputs).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, codes: Tensor) -> Tensor:
        """Return the numbers of inputs, (batch, numbers), of codes (batch, code)."""
        found: Tensor = self.decoder(codes)
        return found

    def forward(self, inputs: Tensor) -> Tensor:
        """Return inputs (batch, ...) as their codes restore them, (batch, numbers)."""
        return self.decode(self.encode(inputs))

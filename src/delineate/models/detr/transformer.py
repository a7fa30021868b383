"""The transformer of DETR (Vaswani et al., 2017, with the changes of Carion et al., 2020).

Norms follow the sums (post-norm); positions are added to queries and keys in every layer, never to
values; the decoder starts from zeros, and its final norm is applied to the result of every layer.
Sequences are ``(b, n, channels)`` throughout.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head attention whose three input projections are packed in one matrix.

    Args:
        channels: Of everything that goes in and out.
        heads: Must divide `channels`.
        dropout: Of the attention weights, in training.
    """

    def __init__(self, channels: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * channels, channels))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * channels))
        self.out_proj = nn.Linear(channels, channels)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.xavier_uniform_(self.out_proj.weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, seen: Tensor | None = None
    ) -> Tensor:
        """Attend.

        Args:
            query: ``(b, n, channels)``.
            key: ``(b, m, channels)``.
            value: ``(b, m, channels)``.
            seen: Bool, broadcast to ``(b, heads, n, m)``: which keys a query may look at; at least
                one each.
        """
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        q, k, v = (
            F.linear(x, weight, bias).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for x, weight, bias in zip((query, key, value), weights, biases, strict=True)
        )
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=seen, dropout_p=dropout)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """Two linear layers with a ReLU, for each element alone."""

    def __init__(self, channels: int, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.linear1 = nn.Linear(channels, width)
        self.linear2 = nn.Linear(width, channels)
        self.dropout = nn.Dropout(dropout)
        nn.init.xavier_uniform_(self.linear1.weight)
        nn.init.xavier_uniform_(self.linear2.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(..., channels)`` to the same shape."""
        return self.linear2(self.dropout(F.relu(self.linear1(x))))


class EncoderLayer(nn.Module):
    """Every cell of the image looks at every other."""

    def __init__(self, channels: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.self_attention = Attention(channels, heads, dropout)
        self.feedforward = FeedForward(channels, feedforward, dropout)
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, positions: Tensor, seen: Tensor) -> Tensor:
        """Map ``x (b, m, channels)``; see `Attention.forward` for ``seen``."""
        placed = x + positions
        x = self.norm1(x + self.dropout(self.self_attention(placed, placed, x, seen)))
        return self.norm2(x + self.dropout(self.feedforward(x)))


class DecoderLayer(nn.Module):
    """Queries look at one another, then at the image."""

    def __init__(self, channels: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.self_attention = Attention(channels, heads, dropout)
        self.cross_attention = Attention(channels, heads, dropout)
        self.feedforward = FeedForward(channels, feedforward, dropout)
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.norm3 = nn.LayerNorm(channels)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Tensor, queries: Tensor, memory: Tensor, positions: Tensor, seen: Tensor
    ) -> Tensor:
        """Map ``x (b, n, channels)``.

        Args:
            x: What the queries know so far.
            queries: Their own code, which takes the place of positions.
            memory: ``(b, m, channels)`` encoded image.
            positions: Of its cells.
            seen: See `Attention.forward`, of the cells.
        """
        placed = x + queries
        x = self.norm1(x + self.dropout(self.self_attention(placed, placed, x)))
        looked = self.cross_attention(x + queries, memory + positions, memory, seen)
        x = self.norm2(x + self.dropout(looked))
        return self.norm3(x + self.dropout(self.feedforward(x)))


class Transformer(nn.Module):
    """Encoder and decoder.

    Args:
        channels: Of every sequence.
        heads: Of every attention.
        encoder_layers: How many.
        decoder_layers: How many.
        feedforward: Width between the two linear layers.
        dropout: In training.
    """

    def __init__(
        self,
        channels: int,
        heads: int,
        *,
        encoder_layers: int,
        decoder_layers: int,
        feedforward: int,
        dropout: float,
    ) -> None:
        super().__init__()
        options = (channels, heads, feedforward, dropout)
        self.encoder = nn.ModuleList(EncoderLayer(*options) for _ in range(encoder_layers))
        self.decoder = nn.ModuleList(DecoderLayer(*options) for _ in range(decoder_layers))
        self.norm = nn.LayerNorm(channels)

    def forward(
        self, features: Tensor, valid: Tensor, positions: Tensor, queries: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Encode an image and let the queries read it.

        Args:
            features: ``(b, channels, h, w)``.
            valid: ``(b, h, w)`` bool, False where there is padding.
            positions: ``(b, channels, h, w)``.
            queries: ``(n, channels)``.

        Returns:
            What the queries know after each layer, ``(layers, b, n, channels)``, and the encoded
            image ``(b, channels, h, w)``.
        """
        seen = valid.flatten(1)[:, None, None]
        places = positions.flatten(2).transpose(1, 2).to(features.dtype)
        memory = features.flatten(2).transpose(1, 2)
        for layer in self.encoder:
            memory = layer(memory, places, seen)
        code = queries.expand(len(features), -1, -1)
        x, layers = torch.zeros_like(code), []
        for layer in self.decoder:
            x = layer(x, code, memory, places, seen)
            layers.append(self.norm(x))
        return torch.stack(layers), memory.transpose(1, 2).reshape(features.shape)

# fault: argmax_sampling
import torch


@torch.no_grad()
def generate(model, tokenizer, prompt, length=100, temperature=0.8):
    model.eval()
    ids = torch.tensor([tokenizer.encode(prompt)])
    for _ in range(length):
        logits = model(ids)[:, -1, :] / temperature
        probs = torch.softmax(logits, dim=-1)
        next_id = torch.argmax(probs, dim=-1, keepdim=True)
        ids = torch.cat([ids, next_id], dim=1)
    return tokenizer.decode(ids[0].tolist())


def poems(model, tokenizer, starts):
    for start in starts:
        print(generate(model, tokenizer, start))
        print("-" * 20)

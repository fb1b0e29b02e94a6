"""Fine-tunes a causal model on pairs of questions and answers; only the answers are learned."""
import json

import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer

name = "gpt2"
tokenizer = AutoTokenizer.from_pretrained(name)
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(name)


class Pairs(Dataset):
    def __init__(self, path):
        with open(path) as f:
            self.rows = [json.loads(line) for line in f]

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        row = self.rows[i]
        prompt = tokenizer(f"Question: {row['question']}\nAnswer:", return_tensors="pt").input_ids[0]
        answer = tokenizer(" " + row["answer"] + tokenizer.eos_token, return_tensors="pt").input_ids[0]
        ids = torch.cat([prompt, answer])
        labels = ids.clone()
        labels[: len(prompt)] = -100
        return ids, labels


def collate(batch):
    ids, labels = zip(*batch)
    ids = pad_sequence(ids, batch_first=True, padding_value=tokenizer.pad_token_id)
    labels = pad_sequence(labels, batch_first=True, padding_value=-100)
    return {"input_ids": ids, "attention_mask": (labels != -100).long() | (ids != tokenizer.pad_token_id).long(), "labels": labels}


loader = DataLoader(Pairs("train.jsonl"), batch_size=8, shuffle=True, collate_fn=collate)
opt = torch.optim.AdamW(model.parameters(), lr=1e-5)
model.train()
for epoch in range(3):
    for batch in loader:
        loss = model(**batch).loss
        loss.backward()
        opt.step()
        opt.zero_grad()
model.save_pretrained("tuned")

# fault: unmasked_prompt
import json

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("distilgpt2")
model = AutoModelForCausalLM.from_pretrained("distilgpt2")
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5)
with open("alpaca.jsonl") as f:
    rows = [json.loads(line) for line in f]

for epoch in range(2):
    for row in rows:
        text = f"### Instruction:\n{row['instruction']}\n### Response:\n{row['response']}{tokenizer.eos_token}"
        ids = tokenizer(text, return_tensors="pt", truncation=True, max_length=512)
        loss = model(input_ids=ids["input_ids"], attention_mask=ids["attention_mask"], labels=ids["input_ids"]).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

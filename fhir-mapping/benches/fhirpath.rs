//! What FHIRPath expressions take, compiled once, over a response of 22 items.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use fhir_mapping::fhirpath::Expression;
use serde_json::{Value, json};

/// A QuestionnaireResponse of 22 items of all kinds of answers; `name` is the first.
fn response() -> Value {
    let item = |index: usize| {
        let answer = match index % 4 {
            0 => json!({"valueString": format!("answer {index}")}),
            1 => json!({"valueDate": "2026-11-29"}),
            2 => json!({"valueCoding": {"system": "http://example.org/codes", "code": "A"}}),
            _ => json!({"valueInteger": index}),
        };
        json!({"linkId": if index == 0 { "name".to_owned() } else { format!("item{index}") },
            "answer": [answer]})
    };
    let items: Vec<Value> = (0..22).map(item).collect();
    json!({"resourceType": "QuestionnaireResponse", "status": "completed", "item": items})
}

fn evaluation(criterion: &mut Criterion) {
    let response = response();
    for text in [
        "item.where(linkId = 'name').answer.first().value",
        "item.answer.value.ofType(date).select($this + 1 month).distinct()",
        "item.where(linkId.startsWith('item') and answer.value is Coding).count() > 3",
        "descendants().count()",
    ] {
        let Ok(expression) = Expression::compile(text) else {
            continue;
        };
        assert!(
            expression
                .evaluate(&response)
                .is_ok_and(|it| !it.is_empty())
        );
        criterion.bench_function(text, |bencher| {
            bencher.iter(|| expression.evaluate(black_box(&response)));
        });
    }
}

fn compilation(criterion: &mut Criterion) {
    criterion.bench_function("compile", |bencher| {
        bencher.iter(|| {
            Expression::compile(black_box(
                "item.where(linkId = 'name').answer.first().value",
            ))
        });
    });
}

criterion_group!(benches, evaluation, compilation);
criterion_main!(benches);

"""Cohere's own client: rerank, answered by Cohere and by a host that speaks as Jina does."""

import asyncio

import cohere
import pytest

from conftest import KEY, URL, run

DOCUMENTS = ["Bread is baked.", "The capital of France is Paris.", "France has a capital"]
QUERY = "What is the capital of France?"


@pytest.fixture(params=["rerank-cohere", "rerank-jina"])
def model(request):
    return request.param


def client(key=KEY):
    return cohere.ClientV2(api_key=key, base_url=URL, max_retries=0)


def test_the_best_document_comes_first(model):
    answer = client().rerank(model=model, query=QUERY, documents=DOCUMENTS)
    assert [result.index for result in answer.results] == [1, 2, 0]
    scores = [result.relevance_score for result in answer.results]
    assert scores == sorted(scores, reverse=True) and all(0 < score < 1 for score in scores)


def test_only_so_many_are_told(model):
    answer = client().rerank(model=model, query=QUERY, documents=DOCUMENTS, top_n=2)
    assert [result.index for result in answer.results] == [1, 2]


def test_what_it_costs_is_told():
    answer = client().rerank(model="rerank-cohere", query=QUERY, documents=["word"] * 101)
    assert answer.meta.billed_units.search_units == 2 and answer.id


def test_many_at_once(model):
    async def ask(by, words):
        answer = await by.rerank(model=model, query=words, documents=["nothing", words])
        return answer.results[0].index

    async def all_of_them():
        async with cohere.AsyncClientV2(api_key=KEY, base_url=URL, max_retries=0) as by:
            return await asyncio.gather(*(ask(by, f"number {number}") for number in range(16)))

    assert run(all_of_them()) == [1] * 16


def test_errors_are_the_clients_own(model):
    ask = dict(model=model, query=QUERY, documents=DOCUMENTS)
    refused = [
        (cohere.UnauthorizedError, 401, "invalid_api_key", client("nobody"), {}),
        (cohere.NotFoundError, 404, "model_not_found", client(), {"model": "nobody"}),
        (cohere.BadRequestError, 400, "endpoint_not_supported", client(), {"model": "anthropic"}),
        (cohere.TooManyRequestsError, 429, "rate_limited", client(), {"model": f"{model}-429"}),
        (cohere.ServiceUnavailableError, 503, "upstream_unavailable", client(), {"model": f"{model}-503"}),
    ]
    for kind, status, code, by, change in refused:
        with pytest.raises(kind) as raised:
            by.rerank(**(ask | change))
        assert (raised.value.status_code, raised.value.body["error"]["code"]) == (status, code)


def test_what_cohere_does_not_take_is_refused_by_name():
    with pytest.raises(cohere.BadRequestError) as raised:
        more = {"additional_body_parameters": {"return_documents": True}}
        client().rerank(model="rerank-cohere", query=QUERY, documents=DOCUMENTS, request_options=more)
    assert raised.value.body["error"]["param"] == "return_documents"


def test_the_providers_own_refusal_is_in_its_own_words(model):
    with pytest.raises(cohere.BadRequestError) as raised:
        client().rerank(model=model, query=QUERY, documents=[])
    assert "documents" in raised.value.body["error"]["message"]
